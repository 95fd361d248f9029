-- What pgbench calls to compare a cache with its loader: one statement reads both
-- sides, so both see one snapshot. A difference becomes a row.

CREATE TABLE mismatches (cache text, key text, cached jsonb, loaded jsonb);

CREATE PROCEDURE check_branch(bid int) LANGUAGE sql AS $$
  INSERT INTO mismatches
  SELECT 'branch_balance', bid, cached, loaded
  FROM (SELECT cache_get('branch_balance', bid) AS cached,
               to_jsonb(branch_balance(bid)) AS loaded OFFSET 0) AS both_sides
  WHERE cached IS DISTINCT FROM loaded $$;
CREATE PROCEDURE check_size(id int) LANGUAGE sql AS $$
  INSERT INTO mismatches
  SELECT 'instance_size', name, cached, loaded
  FROM (SELECT name, cache_get('instance_size', name) AS cached,
               instance_size(name) AS loaded
        FROM instance_sizes s WHERE s.id = $1 OFFSET 0) AS both_sides
  WHERE cached IS DISTINCT FROM loaded $$;

-- Every key of every cache against its loader; prints those that differ.
WITH c (cache, key, cached, loaded) AS MATERIALIZED (
  SELECT 'account', id::text, cache_get('account', id), account(id) FROM generate_series(0, 1300) id
  UNION ALL
  SELECT 'label', id::text, cache_get('label', id), to_jsonb(label(id)) FROM generate_series(0, 1300) id
  UNION ALL
  SELECT 'visit', id::text, cache_get('visit', id), to_jsonb(visit(id)) FROM generate_series(0, 1300) id
  UNION ALL
  SELECT 'branch', bid::text, cache_get('branch', bid), to_jsonb(branch(bid)) FROM generate_series(0, 9) bid
  UNION ALL
  SELECT 'nested', bid::text, cache_get('nested', bid), nested(bid) FROM generate_series(0, 9) bid
  UNION ALL
  SELECT 'price', k::text, cache_get('price', k), to_jsonb(price(k)) FROM generate_series(0, 41.0) k
  UNION ALL
  SELECT 'pair', a || ', ' || b, cache_get('pair', a, b), to_jsonb(pair(a, b))
  FROM generate_series(0, 9) a, (SELECT chr(i) FROM generate_series(96, 105) i) l (b)
  UNION ALL
  SELECT 'conf', part, cache_get('conf', part), conf(part) FROM (VALUES ('ui'), ('db'), ('net'), ('none')) p (part)
  UNION ALL
  SELECT 'doc', name, cache_get('doc', name), to_jsonb(doc(name))
  FROM (SELECT 'doc ' || i FROM generate_series(0, 401) i) d (name)
)
SELECT * FROM c WHERE cached::text IS DISTINCT FROM loaded::text;

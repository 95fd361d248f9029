CREATE EXTENSION cache;

CREATE FUNCTION branch_balance(bid int) RETURNS bigint STABLE LANGUAGE sql AS
  $$ SELECT sum(abalance) FROM pgbench_accounts a WHERE a.bid = $1 $$;
CREATE FUNCTION instance_size(name text) RETURNS jsonb STABLE LANGUAGE sql AS
  $$ SELECT spec FROM instance_sizes s WHERE s.name = $1 $$;

SELECT cache_create('branch_balance', 'branch_balance(int)');
SELECT cache_watch('branch_balance', 'pgbench_accounts', 'bid');
SELECT cache_create('instance_size', 'instance_size(text)');
SELECT cache_watch('instance_size', 'instance_sizes', 'name');

-- Balances for pgbench's accounts, and instance sizes as cloud providers name
-- them: a family, a size, and what one gets for it.

UPDATE pgbench_accounts SET abalance = (hashint4(aid) % 10000);
VACUUM ANALYZE pgbench_accounts;

CREATE TABLE instance_sizes (
  id int GENERATED ALWAYS AS IDENTITY UNIQUE,
  name text PRIMARY KEY,
  spec jsonb NOT NULL
);

INSERT INTO instance_sizes (name, spec)
SELECT family || '.' || size,
       jsonb_build_object(
         'vcpu', vcpu,
         'memory_gib', vcpu * gib_per_vcpu,
         'arch', CASE WHEN family LIKE '%g%' THEN 'arm64' ELSE 'x86_64' END,
         'storage', CASE WHEN family LIKE '%d' THEN 'nvme' ELSE 'network' END,
         'network_gbps', least(100, greatest(5, vcpu)),
         'usd_hour', round(vcpu * (0.03 + gib_per_vcpu * 0.0045), 4))
FROM (VALUES ('c5', 2), ('c5d', 2), ('c6i', 2), ('c6g', 2), ('c7g', 2), ('c7i', 2),
             ('m5', 4), ('m5d', 4), ('m6i', 4), ('m6g', 4), ('m7g', 4), ('m7i', 4),
             ('r5', 8), ('r5d', 8), ('r6i', 8), ('r6g', 8), ('r7g', 8), ('r7i', 8),
             ('x2g', 16), ('x2i', 16)) AS f (family, gib_per_vcpu),
     (VALUES ('medium', 1), ('large', 2), ('xlarge', 4), ('2xlarge', 8),
             ('4xlarge', 16), ('8xlarge', 32), ('12xlarge', 48), ('16xlarge', 64),
             ('24xlarge', 96), ('32xlarge', 128)) AS s (size, vcpu);

ANALYZE instance_sizes;

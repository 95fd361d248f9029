-- The same for the caches of kinds.sql.
WITH c (cache, key, cached, loaded) AS MATERIALIZED (
  SELECT name, k::text, cached, loaded
  FROM generate_series(0, 41) k,
    LATERAL (VALUES
      ('item0', cache_get('item0', k), to_jsonb(item0_oracle(k))),
      ('item1', cache_get('item1', k), to_jsonb(item1_oracle(k))),
      ('item2', cache_get('item2', k), to_jsonb(item2_oracle(k))),
      ('stamp0', cache_get('stamp0', k), to_jsonb(stamp0_oracle(k))),
      ('stamp1', cache_get('stamp1', k), to_jsonb(stamp1_oracle(k))),
      ('stamp2', cache_get('stamp2', k), to_jsonb(stamp2_oracle(k))),
      ('pathed', cache_get('pathed', k), to_jsonb(pathed(k))),
      ('earlier', cache_get('earlier', timestamptz '2020-01-01' + k * interval '1 hour'),
       to_jsonb(earlier(timestamptz '2020-01-01' + k * interval '1 hour'))),
      ('own', cache_get('own', k), to_jsonb(own(k))),
      ('shown', cache_get('shown', k), to_jsonb(shown(k))),
      ('folded', cache_get('folded', k), to_jsonb(folded(k))),
      ('inlined', cache_get('inlined', k), to_jsonb(inlined(k))),
      ('zoned1', cache_get('zoned1', k), to_jsonb(zoned1_oracle(k))),
      ('zoned2', cache_get('zoned2', k), to_jsonb(zoned2_oracle(k))),
      ('safe', cache_get('safe', k), to_jsonb(safe(k))),
      ('safe_inside', cache_get('safe_inside', k), to_jsonb(safe_inside(k))),
      ('divided', cache_get('divided', k), to_jsonb(divided(k))),
      ('spent', cache_get('spent', k), to_jsonb(spent(k))),
      ('owed', cache_get('owed', k), to_jsonb(owed(k))),
      ('owing', cache_get('owing', k), to_jsonb(owing(k))),
      ('scaled', cache_get('scaled', k), to_jsonb(scaled_oracle(k))),
      ('plus', cache_get('plus', k), to_jsonb(plus(k))),
      ('typed', cache_get('typed', k), to_jsonb(typed_oracle(k))),
      ('coded', cache_get('coded', row(k)::code), to_jsonb(coded(row(k)::code))),
      ('part', cache_get('part', k), to_jsonb(part(k))),
      ('part_plan', cache_get('part_plan', k), to_jsonb(part_plan(k))),
      ('may', cache_get('may', k), to_jsonb(may(k))),
      ('about', cache_get('about', k), to_jsonb(about(k))),
      ('role_of', cache_get('role_of', k), to_jsonb(role_of(k))),
      ('set_for', cache_get('set_for', k), to_jsonb(set_for(k)))) v (name, cached, loaded)
)
SELECT * FROM c WHERE cached::text IS DISTINCT FROM loaded::text;

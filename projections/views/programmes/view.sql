-- tables
CREATE TABLE {programmes} (
    programme text COLLATE "C" PRIMARY KEY,
    settings  text NOT NULL,
    clock     bigint NOT NULL,
    opened_at bigint NOT NULL
) WITH (fillfactor = 50);

-- readers
CREATE OR REPLACE VIEW projections.programmes AS
SELECT programme, settings::jsonb AS settings, projections.instant(opened_at) AS opened_at,
       CASE WHEN settings::jsonb ->> 'clock' = 'MANUAL' THEN projections.instant(clock) END AS manual_clock
FROM {programmes};

-- load known: programmes (programme)
SELECT programmes.* FROM {given} AS given JOIN {programmes} AS programmes USING (programme)

-- write changed: programmes
INSERT INTO {programmes} SELECT * FROM {given} AS given
ON CONFLICT (programme) DO UPDATE SET settings = excluded.settings, clock = excluded.clock

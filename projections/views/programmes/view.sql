-- tables
CREATE TABLE {programmes} (
    programme text COLLATE "C" PRIMARY KEY,
    clock     bigint NOT NULL,
    opened_at bigint NOT NULL
) WITH (fillfactor = 50);

-- All settings that were ever made. In force is the newest of those that are valid by then, or else the first.
CREATE TABLE {settings} (
    programme  text COLLATE "C" NOT NULL,
    version    integer NOT NULL,
    valid_from bigint NOT NULL,
    settings   text NOT NULL,
    PRIMARY KEY (programme, version)
);

-- readers
-- Programmes, with the newest of their settings.
--   programme     the programme
--   settings      as a JSON object, in the words of the events
--   opened_at     when it began
--   manual_clock  its present, where its clock is manual; null: it follows the wall clock
CREATE OR REPLACE VIEW {schema}.programmes AS
SELECT programme, newest.settings::jsonb AS settings, projections.instant(opened_at) AS opened_at,
       CASE WHEN newest.settings::jsonb ->> 'clock' = 'MANUAL' THEN projections.instant(clock) END AS manual_clock
FROM {programmes} AS programmes
CROSS JOIN LATERAL (
    SELECT settings FROM {settings} AS settings
    WHERE settings.programme = programmes.programme ORDER BY version DESC LIMIT 1) AS newest;

-- All settings that programmes ever had; in force are the newest of those that are valid by then, or else the first.
--   programme   the programme
--   version     their number, counted from 1
--   valid_from  from when on they go
--   settings    as a JSON object, in the words of the events
CREATE OR REPLACE VIEW {schema}.programme_settings AS
SELECT programme, version, projections.instant(valid_from) AS valid_from, settings::jsonb AS settings
FROM {settings};

-- load known: programmes (programme)
SELECT programmes.* FROM {given} AS given JOIN {programmes} AS programmes USING (programme)

-- write changed: programmes
INSERT INTO {programmes} SELECT * FROM {given} AS given
ON CONFLICT (programme) DO UPDATE SET clock = excluded.clock

-- insert versions: settings

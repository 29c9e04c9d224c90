-- What the role that may only read needs besides views, and what the views of the log and of the builds mean.
-- It may run again and again.

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{reader}') THEN
        GRANT USAGE ON SCHEMA ledger, projections TO {reader};
    END IF;
END $$;

COMMENT ON VIEW ledger.event_log IS 'The log: every event, decoded, in its envelope.';
COMMENT ON COLUMN ledger.event_log.position IS 'the place in the log, counted from 1 without gaps';
COMMENT ON COLUMN ledger.event_log.programme IS 'the programme';
COMMENT ON COLUMN ledger.event_log.stream IS 'whose event it is, as <programme>/<kind>/<id>';
COMMENT ON COLUMN ledger.event_log.version IS 'the place in the stream, counted from 1 without gaps';
COMMENT ON COLUMN ledger.event_log.topic IS 'what happened, such as points.earned.v1, with the version of the event';
COMMENT ON COLUMN ledger.event_log.event IS 'the event as a JSON object; instants in it are time stamps';
COMMENT ON COLUMN ledger.event_log.command_id IS 'the command that led to it';
COMMENT ON COLUMN ledger.event_log.actor IS 'who sent the command';
COMMENT ON COLUMN ledger.event_log.channel IS 'the channel through which it came';
COMMENT ON COLUMN ledger.event_log.correlation_id IS 'as the caller gave it';
COMMENT ON COLUMN ledger.event_log.trace IS 'W3C trace context, as hexadecimal digits; empty: none';
COMMENT ON COLUMN ledger.event_log.occurred_at IS 'when it happened';
COMMENT ON COLUMN ledger.event_log.recorded_at IS 'when it was recorded';
COMMENT ON COLUMN ledger.event_log.business_date IS 'the local day on which it happened, in the time zone of the programme';
COMMENT ON COLUMN ledger.event_log.hash IS 'SHA-256 over the hash before it and its own columns, as hexadecimal digits';

COMMENT ON VIEW projections.status IS 'How each view is: its builds, how far each is, and what stopped it.';
COMMENT ON COLUMN projections.status.name IS 'the projection, such as balance';
COMMENT ON COLUMN projections.status.build IS 'which set of its tables, counted from 1; each rebuild makes another';
COMMENT ON COLUMN projections.status.version IS 'of the fold that fills it';
COMMENT ON COLUMN projections.status.schema IS 'where its tables are: projections, or the schema of a replay';
COMMENT ON COLUMN projections.status.live IS 'whether it is what readers see';
COMMENT ON COLUMN projections.status.state IS 'RUNNING (the live one), BUILDING, PAUSED, READY (to take over), RETIRED (live before), REPLAYED, or STOPPED at an event that it cannot fold';
COMMENT ON COLUMN projections.status.position IS 'events up to here are folded; while it is loaded, on average over the parts of the streams';
COMMENT ON COLUMN projections.status.lag_events IS 'how many events it is behind the log, or behind the end of its replay';
COMMENT ON COLUMN projections.status.lag_seconds IS 'for how long the first event that is not folded yet has been waiting; 0: none';
COMMENT ON COLUMN projections.status.parked_keys IS 'how many keys wait, since one of their events could not be folded';
COMMENT ON COLUMN projections.status.loading IS 'whether processes load it, each its part of the streams; then it follows the log';
COMMENT ON COLUMN projections.status.differences IS 'in how many rows it differed from the live one; null: it was not compared';
COMMENT ON COLUMN projections.status.moved_at IS 'when its position moved last';
COMMENT ON COLUMN projections.status.failed_position IS 'the event that it cannot fold; null: none';
COMMENT ON COLUMN projections.status.reason IS 'why it cannot';

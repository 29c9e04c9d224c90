-- What the role that may only read needs besides views, and what the view of the log means. It may run again and again.

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

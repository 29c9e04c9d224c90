"""What SQL views mean, for those who read them: comments in `view.sql`, made comments of the database.

In the block of the readers, each view is preceded by what it is, and by a line for each column:

    -- Holds of points, and what became of them.
    --   programme  the programme
    --   state      HELD, CAPTURED, RELEASED or TIMED_OUT; a text that goes on in the next line
    --              is indented deeper
    CREATE OR REPLACE VIEW {schema}.holds AS ...

As they are made, views are opened to the role READER, if that role exists.
"""

import re

import msgspec

READER = "loyalty_reader"
"""Who may read all views and the decoded log, and nothing else."""


OPEN_VIEWS = f"""
DO $$
DECLARE opened text;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}') THEN
        FOR opened IN
            SELECT format('%I.%I', schemaname, viewname) FROM pg_views
            WHERE viewowner = current_user
              AND (schemaname IN ('ledger', 'projections') OR has_schema_privilege('{READER}', schemaname, 'USAGE'))
              AND NOT has_table_privilege('{READER}', format('%I.%I', schemaname, viewname), 'SELECT')
        LOOP
            EXECUTE 'GRANT SELECT ON ' || opened || ' TO {READER}';
        END LOOP;
    END IF;
END $$;
"""
"""Lets the role READER, where it exists, read all views of the role that runs this, in ours and in those of replays.

Of tables it sees none.
"""


class ViewText(msgspec.Struct, frozen=True):
    """What a view is, and what its columns are."""

    name: str
    """With its schema."""
    about: str
    columns: dict[str, str]


_VIEW = re.compile(r"^((?:--.*\n)*)CREATE OR REPLACE VIEW (\S+) AS$", re.MULTILINE)
_COLUMN = re.compile(r"-- {3}(\w+) {2,}(.+)")
_MORE = re.compile(r"-- {4,}(.+)")


def read_texts(readers: str) -> list[ViewText]:
    """The texts of all views that these statements make."""
    return [_read_text(match[2], match[1].splitlines()) for match in _VIEW.finditer(readers)]


def _read_text(name: str, lines: list[str]) -> ViewText:
    about: list[str] = []
    columns: dict[str, str] = {}
    for line in lines:
        if column := _COLUMN.fullmatch(line):
            columns[column[1]] = column[2]
        elif columns and (more := _MORE.fullmatch(line)):
            columns[next(reversed(columns))] += f" {more[1]}"
        else:
            about.append(line.removeprefix("-- "))
    return ViewText(name, " ".join(about), columns)


def publish(readers: str) -> str:
    """These statements, and after them those that comment the views and open them to the role READER."""
    return "\n".join([readers, *(_comments(text) for text in read_texts(readers)), OPEN_VIEWS])


def _comments(text: ViewText) -> str:
    comments = [f"COMMENT ON VIEW {text.name} IS {_literal(text.about)};"]
    comments += [f'COMMENT ON COLUMN {text.name}."{name}" IS {_literal(what)};' for name, what in text.columns.items()]
    return "\n".join(comments)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

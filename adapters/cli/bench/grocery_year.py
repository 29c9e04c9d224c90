"""The rows about real data: the year of the demonstration as a log, caught up with and rebuilt."""

from adapters.cli.bench import catching_up, views
from adapters.cli.bench.bench import Bench
from adapters.cli.bench.projecting import Projecting
from adapters.cli.demo import replay_year
from adapters.cli.replay import PROGRAMME
from adapters.cli.service import open_channel, running_service
from adapters.completejourney.dataset import Dataset
from projections.registry import PROJECTIONS

ROWS = ("D6", "D6all", "D7", "D7m", "D7p50", "D7p99")


def run(bench: Bench) -> None:
    """W6 and W7 on that log, which stands in place of the one before."""
    if not bench.wanted(*ROWS):
        return
    bench.begin_anew()
    dataset = Dataset()
    # The sweep of what expired reads a view, so this service runs them all.
    with running_service(bench.settings.model_copy(update={"run": "all"})) as address, open_channel(address) as channel:
        replay_year(bench.console, channel, dataset)
    bench.server.start()
    bench.add(catching_up.row(bench, "D6", "catching up on a grocery chain's year", ("balance", "inventory"), 100_000))
    everything = tuple(projection.name for projection in PROJECTIONS)
    bench.add(catching_up.row(bench, "D6all", "catching up on that year, all views", everything, None))
    with running_service(bench.settings) as address, Projecting(bench.app_dsn, views.VIEWS) as projecting:
        projecting.until_caught_up()
        for row in views.rebuild_rows(bench, projecting, address, "D7", PROGRAMME, dataset.households):
            bench.add(row)

"""A server that knows the made-up language of ``tests.pseudo``, too."""

from collections.abc import Mapping, Sequence

from app.core.texts import catalogues
from tests.launching import Launched, run
from tests.pseudo import TAG, pseudo
from tests.server import ServerProcess


def run_in_pseudo(
    module: str, arguments: Sequence[str], folder: str, environment: Mapping[str, str], log: str
) -> None:
    catalogues()[TAG] = pseudo()
    run(module, arguments, folder, environment, log)


class PseudoServer(ServerProcess):
    def launch(self) -> Launched:
        arguments = ["serve", "--port", str(self.port)]
        where = self._folder, self._environment, self.log
        return Launched(arguments, *where, target=run_in_pseudo)

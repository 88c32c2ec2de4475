"""All dialects. Where several are in one span, the first wins, fact by fact."""

from app.services.ingestion.dialects.bare import BARE
from app.services.ingestion.dialects.dialect import Dialect
from app.services.ingestion.dialects.genai import GENAI
from app.services.ingestion.dialects.names import Names
from app.services.ingestion.dialects.openinference import OPENINFERENCE

REGISTER: tuple[Dialect, ...] = (
    GENAI,
    OPENINFERENCE,
    BARE,
)
NAMES = Names(REGISTER)

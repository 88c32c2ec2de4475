"""All dialects. Where several are in one span, the first wins, fact by fact."""

from app.services.ingestion.dialects.bare import BARE
from app.services.ingestion.dialects.dialect import Dialect
from app.services.ingestion.dialects.genai import GENAI
from app.services.ingestion.dialects.genai_legacy import LEGACY
from app.services.ingestion.dialects.genkit import GENKIT
from app.services.ingestion.dialects.google_adk import GOOGLE_ADK
from app.services.ingestion.dialects.greenroom import GREENROOM
from app.services.ingestion.dialects.koog import KOOG
from app.services.ingestion.dialects.langfuse import LANGFUSE
from app.services.ingestion.dialects.langsmith import LANGSMITH
from app.services.ingestion.dialects.livekit import LIVEKIT
from app.services.ingestion.dialects.mcp import MCP
from app.services.ingestion.dialects.mlflow import MLFLOW
from app.services.ingestion.dialects.names import Names
from app.services.ingestion.dialects.openinference import OPENINFERENCE
from app.services.ingestion.dialects.pydantic_ai import PYDANTIC_AI
from app.services.ingestion.dialects.traceloop import TRACELOOP
from app.services.ingestion.dialects.vercel import VERCEL

REGISTER: tuple[Dialect, ...] = (
    GREENROOM,
    GENAI,
    LEGACY,
    TRACELOOP,
    OPENINFERENCE,
    LANGFUSE,
    VERCEL,
    MLFLOW,
    LANGSMITH,
    GOOGLE_ADK,
    PYDANTIC_AI,
    KOOG,
    LIVEKIT,
    GENKIT,
    MCP,
    BARE,
)
NAMES = Names(REGISTER)

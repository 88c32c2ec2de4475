"""Who and what there is: people, tools and agents of the demo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.permissions import Role

Schema = dict[str, Any]  # a JSON Schema


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """``account`` is the part before the @; who is invited has not come yet."""

    account: str
    full_name: str
    role: Role
    is_invited: bool = False


@dataclass(frozen=True, slots=True)
class DemoTool:
    """``arguments`` are names with what they mean; those that end with ? may be left out."""

    name: str
    description: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A revision after the first: what differs, why, by whom, and how many days ago it began."""

    values: Mapping[str, Any]
    note: str
    by: str
    days_ago: int


@dataclass(frozen=True, slots=True)
class DemoAgent:
    """``share`` is its part of all runs; ``trouble`` the part of its runs that fail."""

    name: str
    description: str
    owner: str
    model: str
    provider: str
    prompt: str
    tools: tuple[str, ...]
    share: int
    trouble: float = 0.03
    changes: tuple[Change, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    by_night: bool = False


# Nobody of the demo is a superuser: there must always be a real one.
PEOPLE = (
    DemoPerson("ada", "Ada Brandt", Role.STAFF),
    DemoPerson("noor", "Noor El-Amin", Role.STAFF),
    DemoPerson("felix", "Felix Moreau", Role.STAFF),
    DemoPerson("grace", "Grace Tanaka", Role.VIEWER),
    DemoPerson("sven", "Sven Dahl", Role.MEMBER, is_invited=True),
)

TOOLS = (
    DemoTool("find_booking", "Find a booking by its code.", {"code": "Six characters."}),
    DemoTool(
        "search_flights",
        "Flights between two cities on a day.",
        {"origin": "A city.", "destination": "A city.", "date": "As 2026-12-31."},
    ),
    DemoTool("change_seat", "Move a passenger.", {"code": "The booking.", "seat": "Such as 14A."}),
    DemoTool(
        "refund_ticket", "Refund a booking.", {"code": "The booking.", "reason?": "In a few words."}
    ),
    DemoTool("find_order", "Find an order.", {"order_id": "As on the receipt."}),
    DemoTool("track_parcel", "Where a parcel is.", {"order_id": "As on the receipt."}),
    DemoTool(
        "start_return",
        "Begin a return.",
        {"order_id": "The order.", "reason": "Why.", "size?": "New."},
    ),
    DemoTool("list_transactions", "The newest card payments.", {"card": "Last four digits."}),
    DemoTool("block_card", "Block a card at once.", {"card": "Last four digits."}),
    DemoTool("explain_fee", "What a fee is for.", {"amount": "As on the statement."}),
    DemoTool("find_slots", "Free appointments.", {"doctor": "Whose.", "day": "A weekday."}),
    DemoTool(
        "book_slot",
        "Book an appointment.",
        {"doctor": "Whose.", "day": "A weekday.", "time": "As 09:15."},
    ),
    DemoTool("send_reminder", "Text the patient the day before.", {"day": "A weekday."}),
    DemoTool("search_kb", "Search the knowledge base.", {"query": "A few words."}),
    DemoTool("reset_access", "Reset somebody's access.", {"system": "Which one."}),
    DemoTool("open_ticket", "Open a ticket for a person to look at.", {"summary": "One line."}),
    DemoTool("read_document", "The text of a scanned page.", {"document": "Its number."}),
    DemoTool(
        "match_order", "Find the purchase order.", {"supplier": "Its name.", "amount": "Sum."}
    ),
    DemoTool("post_invoice", "Enter an invoice.", {"document": "Its number.", "amount": "Sum."}),
    DemoTool("web_search", "Search the web.", {"query": "A few words."}),
    DemoTool("read_page", "The text of a web page.", {"url": "Its address."}),
    DemoTool("read_diff", "The changes of a branch.", {"branch": "Its name."}),
    DemoTool("run_checks", "Run lint and tests.", {"branch": "Its name."}),
    DemoTool("search_policy", "Search the handbook.", {"query": "A few words."}),
    DemoTool("book_table", "Reserve a table.", {"restaurant": "Its name.", "guests": "How many."}),
)
# Models call it by arguments that its schema does not have.
DRIFTED = "search_flights"
# Was of use once.
TRASHED_TOOL = DemoTool("send_fax", "Sends a fax.", {"number": "Whose."})

BRIEF = "Answer in at most three sentences. "
AGENTS = (
    DemoAgent(
        "airline-support",
        "Bookings, seats and refunds",
        "ada",
        "gpt-4o",
        "openai",
        "You help passengers of a small airline with their bookings. Look a booking up before you "
        "say anything about it. Never promise a refund that the fare does not allow.",
        ("find_booking", "search_flights", "change_seat", "refund_ticket"),
        20,
        0.04,
        (
            Change(
                {
                    "system_prompt": "You help passengers of a small airline with their bookings. Look "
                    "a booking up before you say anything about it. Never promise a refund that the fare "
                    "does not allow.\nOffer another flight before you offer a refund."
                },
                "Offer another flight first: too many refunds",
                "noor",
                19,
            ),
            Change({"model": "gpt-4.1"}, "Try the newer model, it is cheaper", "ada", 6),
        ),
        {"temperature": 0.3, "queue": "passengers"},
    ),
    DemoAgent(
        "shop-assistant",
        "Orders, parcels and returns of the web shop",
        "felix",
        "gpt-4.1-mini",
        "openai",
        "You help customers of an outdoor shop. Be warm and short. Offer an exchange before a return.",
        ("find_order", "track_parcel", "start_return"),
        24,
        0.02,
        (Change({"max_tokens": 1500}, "Answers were cut off in long returns", "felix", 12),),
        {"temperature": 0.5},
    ),
    DemoAgent(
        "bank-helper",
        "Cards and fees, in the app of a bank",
        "noor",
        "claude-sonnet-4-5",
        "anthropic",
        "You answer questions about cards and fees. Block a card as soon as somebody says that it is "
        "gone. Never ask for a PIN.",
        ("list_transactions", "block_card", "explain_fee"),
        12,
        0.02,
        (
            Change(
                {
                    "system_prompt": "You answer questions about cards and fees. Block a card as soon as "
                    "somebody says that it is gone. Never ask for a PIN, and never repeat a full card "
                    "number."
                },
                "Asked for by compliance",
                "ada",
                15,
            ),
        ),
    ),
    DemoAgent(
        "clinic-desk",
        "Appointments of a group practice",
        "ada",
        "gpt-4o-mini",
        "openai",
        "You arrange appointments. You give no medical advice; in an emergency say that they should "
        "call the emergency number.",
        ("find_slots", "book_slot", "send_reminder"),
        10,
    ),
    DemoAgent(
        "it-helpdesk",
        "First help for colleagues",
        "felix",
        "gpt-4.1",
        "openai",
        "You help colleagues with their computers. Search the knowledge base first. Open a ticket when "
        "a person has to look at it.",
        ("search_kb", "reset_access", "open_ticket"),
        10,
        0.05,
        (
            Change(
                {"tools": ("search_kb", "open_ticket")}, "No resets without a person", "felix", 9
            ),
        ),
    ),
    DemoAgent(
        "invoice-reader",
        "Reads invoices and finds their orders",
        "noor",
        "gemini-2.5-flash",
        "google",
        "You read invoices. Enter one only when its sum and its order agree to the cent.",
        ("read_document", "match_order", "post_invoice"),
        8,
        0.06,
        by_night=True,
    ),
    DemoAgent(
        "sales-research",
        "Who is worth a call",
        "ada",
        "claude-sonnet-4-5",
        "anthropic",
        "You research companies for the sales team. Name your sources. Say so when you are not sure.",
        ("web_search", "read_page"),
        4,
        0.08,
    ),
    DemoAgent(
        "code-reviewer",
        "Looks at branches before people do",
        "felix",
        "claude-sonnet-4-5",
        "anthropic",
        "You review changes. Point at what is wrong, not at what you would have done otherwise.",
        ("read_diff", "run_checks"),
        5,
        0.03,
    ),
    DemoAgent(
        "hr-answers",
        "Questions about the handbook, on a model of our own",
        "noor",
        "house-llama-70b",
        "ollama",
        f"{BRIEF}Answer from the handbook alone, and name the section.",
        ("search_policy",),
        4,
    ),
    DemoAgent(
        "hotel-concierge",
        "Tables and tips for guests",
        "ada",
        "gpt-4o-mini",
        "openai",
        f"{BRIEF}You help guests of a hotel. Know the town, and be discreet.",
        ("book_table", "web_search"),
        3,
    ),
)
# Has nothing to do until the new price list is agreed on.
PAUSED = DemoAgent(
    "quote-writer",
    "Drafts offers from a price list",
    "felix",
    "gpt-4o",
    "openai",
    "You draft offers. Prices come from the list and are never rounded.",
    ("find_order",),
    0,
)
PAUSE_REASON = "The price list is being changed; it would quote old prices."
TRASHED = DemoAgent(
    "survey-bot", "Asked three questions", "noor", "gpt-4o-mini", "openai", "Ask kindly.", (), 0
)
# Was seen in traces, and nobody has described it.
DRAFT = DemoAgent("meeting-notes", "", "felix", "gpt-4o-mini", "openai", "", (), 2)

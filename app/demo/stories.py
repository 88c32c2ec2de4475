"""What was said and done, by agent. Words in {braces} are filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asks:
    text: str


@dataclass(frozen=True, slots=True)
class Says:
    text: str


@dataclass(frozen=True, slots=True)
class Calls:
    """A tool, what it was given and what came back."""

    tool: str
    arguments: Mapping[str, str]
    result: Any  # any JSON value
    fails: bool = False


Story = tuple[Asks | Says | Calls, ...]

STORIES: Mapping[str, tuple[Story, ...]] = {
    "airline-support": (
        (
            Asks("Hello, I would like to move to a window seat. My booking is {booking}."),
            Calls(
                "find_booking",
                {"code": "{booking}"},
                {"passenger": "{first} {last}", "flight": "{flight}", "seat": "21B"},
            ),
            Calls("change_seat", {"code": "{booking}", "seat": "{seat}"}, {"seat": "{seat}"}),
            Says("Done, {first}: you are in seat {seat} on flight {flight}. Have a good flight!"),
        ),
        (
            Asks("My flight to {city} was cancelled. What now? {booking}"),
            Calls(
                "find_booking",
                {"code": "{booking}"},
                {"passenger": "{first} {last}", "flight": "{flight}", "status": "cancelled"},
            ),
            Calls(
                "search_flights",
                {"origin": "{other_city}", "destination": "{city}", "date": "{date}"},
                [{"flight": "{flight}", "departs": "{time}", "seats": 9}],
            ),
            Says(
                "I am sorry about that. Flight {flight} leaves {other_city} for {city} at {time} on "
                "{date} and has seats left. Shall I put you on it?"
            ),
            Asks("Yes please, that one."),
            Calls("change_seat", {"code": "{booking}", "seat": "{seat}"}, {"seat": "{seat}"}),
            Says("You are on it, in seat {seat}. A confirmation is on its way to you."),
        ),
        (
            Asks("I want my money back for {booking}, I am ill."),
            Calls(
                "find_booking",
                {"code": "{booking}"},
                {"passenger": "{first} {last}", "fare": "Light", "refundable": False},
            ),
            Calls(
                "refund_ticket",
                {"code": "{booking}", "reason": "illness"},
                "Error: the fare Light cannot be refunded",
                True,
            ),
            Says(
                "Get well soon, {first}. Your fare cannot be refunded, but with a doctor's note you "
                "can move the flight once without a fee. Would that help?"
            ),
        ),
        (
            Asks("What is there from {other_city} to {city} on {date}?"),
            Calls(
                "search_flights",
                {"origin": "{other_city}", "destination": "{city}", "date": "{date}"},
                [{"flight": "{flight}", "departs": "{time}", "price": "{amount}"}],
            ),
            Says("There is {flight} at {time}, from {amount} euros."),
        ),
    ),
    "shop-assistant": (
        (
            Asks("Where is my {product}? Order {order}."),
            Calls(
                "track_parcel",
                {"order_id": "{order}"},
                {"status": "on its way", "last_seen": "{city}", "expected": "{date}"},
            ),
            Says("Your {product} was last seen in {city} and should be with you on {date}."),
        ),
        (
            Asks("The {product} from order {order} is too small."),
            Calls(
                "find_order",
                {"order_id": "{order}"},
                {"customer": "{first} {last}", "items": ["{product}"], "paid": "{amount}"},
            ),
            Says(
                "That is a pity, {first}. Would you like another size instead, or your money back?"
            ),
            Asks("Size {size} please."),
            Calls(
                "start_return",
                {"order_id": "{order}", "reason": "too small", "size": "{size}"},
                {"label": "https://shop.demo.example/labels/{order}.pdf"},
            ),
            Says(
                "Size {size} is set aside for you. Here is the label for sending the other one back: "
                "https://shop.demo.example/labels/{order}.pdf"
            ),
        ),
        (
            Asks("Do you have the {product} in {size}?"),
            Says("We do, {size} is in stock and would be with you by {day}."),
        ),
        (
            Asks("order {order} never came and nobody answers!!"),
            Calls("find_order", {"order_id": "{order}"}, {"customer": "{first} {last}"}),
            Calls(
                "track_parcel", {"order_id": "{order}"}, "Error: the carrier does not answer", True
            ),
            Calls(
                "track_parcel", {"order_id": "{order}"}, {"status": "lost", "last_seen": "{city}"}
            ),
            Says(
                "I am very sorry, {first}: the carrier lost it in {city}. A new {product} leaves today, "
                "and you need not do anything."
            ),
        ),
    ),
    "bank-helper": (
        (
            Asks("I lost my card! It ends with 4417."),
            Calls("block_card", {"card": "4417"}, {"card": "4417", "blocked": True}),
            Calls(
                "list_transactions",
                {"card": "4417"},
                [
                    {"shop": "{shop}", "amount": "{amount}"},
                    {"shop": "Kiosk Nord", "amount": "3.20"},
                ],
            ),
            Says("Your card is blocked. The last payment was {amount} at {shop}: was that you?"),
            Asks("Yes, that was me."),
            Says("Good. A new card is on its way and will be with you within five days."),
        ),
        (
            Asks("What is this fee of {amount}?"),
            Calls(
                "explain_fee",
                {"amount": "{amount}"},
                {"kind": "payment abroad", "rate": "1.5 %", "shop": "{shop}"},
            ),
            Says("It is the fee of 1.5 % for a payment in another currency, at {shop}."),
        ),
        (
            Asks("There is a payment at {shop} that I do not know."),
            Calls(
                "list_transactions", {"card": "9021"}, [{"shop": "{shop}", "amount": "{amount}"}]
            ),
            Says(
                "I see {amount} at {shop} on {day}. If it was not you, I block the card and a colleague "
                "looks into it. Shall I?"
            ),
        ),
    ),
    "clinic-desk": (
        (
            Asks("I need to see {doctor}, best on {day}."),
            Calls("find_slots", {"doctor": "{doctor}", "day": "{day}"}, ["{time}", "15:50"]),
            Says("{doctor} has {time} and 15:50 on {day}. Which suits you?"),
            Asks("{time} is fine."),
            Calls(
                "book_slot", {"doctor": "{doctor}", "day": "{day}", "time": "{time}"}, {"ok": True}
            ),
            Calls("send_reminder", {"day": "{day}"}, {"ok": True}),
            Says(
                "You are booked for {day} at {time} with {doctor}. You get a text the day before."
            ),
        ),
        (
            Asks("Is {doctor} free on {day} afternoon?"),
            Calls("find_slots", {"doctor": "{doctor}", "day": "{day}"}, []),
            Says("Not on {day}, I am afraid. Shall I look at another day?"),
        ),
    ),
    "it-helpdesk": (
        (
            Asks("I cannot get into {system} since this morning."),
            Calls(
                "search_kb",
                {"query": "{system} login fails"},
                [{"title": "Login fails after a password change", "id": "KB-118"}],
            ),
            Says(
                "Did you change your password lately? Then sign out of your {device} once and in again; "
                "{system} keeps the old one otherwise."
            ),
            Asks("That worked, thanks!"),
            Says("Good to hear. Have a nice day."),
        ),
        (
            Asks("My {device} makes a strange noise."),
            Calls("search_kb", {"query": "{device} noise"}, []),
            Calls(
                "open_ticket",
                {"summary": "{device} makes a noise ({first} {last})"},
                {"ticket": "{ticket}"},
            ),
            Says("I found nothing on that, so a colleague will look at it: ticket {ticket}."),
        ),
    ),
    "invoice-reader": (
        (
            Asks("Invoice {invoice} of {supplier}"),
            Calls(
                "read_document",
                {"document": "{invoice}"},
                {"supplier": "{supplier}", "total": "{amount}", "date": "{date}"},
            ),
            Calls(
                "match_order",
                {"supplier": "{supplier}", "amount": "{amount}"},
                {"order": "PO-5512", "total": "{amount}"},
            ),
            Calls(
                "post_invoice", {"document": "{invoice}", "amount": "{amount}"}, {"posted": True}
            ),
            Says("Posted {invoice} of {supplier} over {amount} against PO-5512."),
        ),
        (
            Asks("Invoice {invoice} of {supplier}"),
            Calls(
                "read_document",
                {"document": "{invoice}"},
                {"supplier": "{supplier}", "total": "{amount}"},
            ),
            Calls(
                "match_order",
                {"supplier": "{supplier}", "amount": "{amount}"},
                "Error: no order of {supplier} over {amount}",
                True,
            ),
            Says("{invoice} of {supplier} over {amount} fits no order. I left it for a person."),
        ),
    ),
    "sales-research": (
        (
            Asks("Is {company} worth a call? They are in {field}."),
            Calls(
                "web_search",
                {"query": "{company} {field}"},
                [{"url": "https://news.demo.example/{company}", "title": "{company} grows"}],
            ),
            Calls(
                "read_page",
                {"url": "https://news.demo.example/{company}"},
                "{company} opens a second site in {city} and looks for people in {field}.",
            ),
            Calls("web_search", {"query": "{company} annual report"}, []),
            Says(
                "Yes. {company} opens a second site in {city} and is hiring in {field} "
                "(news.demo.example). I found no annual report, so I cannot say how large they are."
            ),
        ),
    ),
    "code-reviewer": (
        (
            Asks("Please look at {branch}."),
            Calls(
                "read_diff",
                {"branch": "{branch}"},
                "--- a/app/retry.py\n+++ b/app/retry.py\n-    while True:\n+    for _ in range(5):",
            ),
            Calls("run_checks", {"branch": "{branch}"}, {"lint": "ok", "tests": "212 passed"}),
            Says(
                "Two remarks. The loop now gives up after five tries but swallows the last error: raise "
                "it. And there is no test for that case. Otherwise it is fine."
            ),
        ),
        (
            Asks("Review {branch} again, I pushed a fix."),
            Calls("read_diff", {"branch": "{branch}"}, "+        raise last_error"),
            Calls("run_checks", {"branch": "{branch}"}, "Error: 1 failed, 212 passed", True),
            Says(
                "The error is raised now, but test_retry_gives_up fails: it expects the old message."
            ),
        ),
    ),
    "hr-answers": (
        (
            Asks("What does the handbook say about {topic}?"),
            Calls(
                "search_policy",
                {"query": "{topic}"},
                [
                    {
                        "section": "4.2",
                        "text": "Talk to your lead first; the form is on the intranet.",
                    }
                ],
            ),
            Says(
                "Section 4.2: talk to your lead first, then send the form on the intranet. I found "
                "nothing more on {topic}."
            ),
        ),
    ),
    "hotel-concierge": (
        (
            Asks("Could you get us a table for {guests} at {restaurant} on {day}?"),
            Calls(
                "book_table", {"restaurant": "{restaurant}", "guests": "{guests}"}, {"at": "20:00"}
            ),
            Says("With pleasure: a table for {guests} at {restaurant}, {day} at eight."),
        ),
        (
            Asks("What can one do in {city} when it rains?"),
            Calls(
                "web_search",
                {"query": "{city} museums"},
                [{"title": "City museum", "open": "10-18"}],
            ),
            Says(
                "The city museum is a short walk away and open until six. I can lend you an umbrella."
            ),
        ),
    ),
    "meeting-notes": (
        (
            Asks("Sum up: {first} and {company} talked about {topic} for an hour on {day}."),
            Says(
                "{first} will send {company} a proposal on {topic} by {date}. Nothing else is open."
            ),
        ),
    ),
}

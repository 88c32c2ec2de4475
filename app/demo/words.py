"""What the sentences of the demo are filled with. All of it is invented."""

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, ...]] = {
    "first": ("Maya", "Jonas", "Priya", "Luca", "Aiko", "Omar", "Elsa", "Mateo", "Ines", "Tom"),
    "last": ("Okafor", "Lindqvist", "Marino", "Haddad", "Novak", "Sato", "Byrne", "Costa", "Weber"),
    "city": ("Lisbon", "Oslo", "Prague", "Palermo", "Vienna", "Cork", "Tallinn", "Porto", "Ghent"),
    "other_city": ("Zurich", "Athens", "Dublin", "Bergen", "Seville", "Turin", "Riga", "Lyon"),
    "flight": ("GR 418", "GR 1207", "GR 88", "GR 2310", "GR 556", "GR 741"),
    "booking": ("K7PQ2M", "ZT41XA", "M0RR8C", "QW93LD", "H2VB6N", "XF58JS"),
    "seat": ("14A", "7C", "22F", "3D", "18A", "11F"),
    "order": ("A-10421", "A-10877", "A-11203", "A-11390", "A-11854", "A-12077"),
    "product": ("rain jacket", "trail shoes", "wool jumper", "desk lamp", "coffee grinder", "tent"),
    "size": ("S", "M", "L", "XL", "42", "39"),
    "shop": ("Kiosk Nord", "Brot & Co", "Metro Taxi", "Cinema Lux", "Hotel Sol", "Fuel 24"),
    "amount": ("12.40", "38.00", "149.90", "7.25", "64.10", "219.00", "18.75"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    "date": ("2026-12-01", "2026-12-04", "2026-12-09", "2026-12-15", "2026-12-18", "2027-01-08"),
    "time": ("08:40", "09:15", "11:30", "14:10", "16:45", "17:20"),
    "doctor": ("Dr. Amari", "Dr. Holm", "Dr. Petrou", "Dr. Quist"),
    "device": ("laptop", "phone", "docking station", "second monitor", "headset"),
    "system": ("VPN", "mail", "the payroll system", "the shared drive", "single sign-on"),
    "ticket": ("IT-2291", "IT-2304", "IT-2317", "IT-2340", "IT-2355"),
    "supplier": (
        "Nordholz Timber",
        "Alba Print",
        "Kestrel Logistics",
        "Tre Fontane",
        "Ohm Electric",
    ),
    "invoice": ("2026-0917", "R-44120", "INV-7781", "88213", "F/2026/310"),
    "company": ("Brightwater", "Tidal Works", "Fernhill Foods", "Copper Lane", "Ostara Health"),
    "topic": (
        "parental leave",
        "remote work abroad",
        "travel expenses",
        "sick notes",
        "training days",
    ),
    "restaurant": ("Casa Verde", "The Anchor", "Sol y Mar", "Little Hanoi", "Trattoria Ada"),
    "guests": ("two", "three", "four", "five", "six"),
    "branch": ("fix/retry-loop", "feature/export", "chore/deps", "fix/timezones", "feature/search"),
    "field": ("energy storage", "food delivery", "open banking", "rail freight", "home care"),
}
CHANNELS = ("web", "web", "web", "app", "app", "mail", "phone")
LOCALES = ("en-GB", "en-US", "de-DE", "fr-FR", "es-ES", "pt-PT")
PRAISE = ("Quick and right.", "Solved it.", "Polite, and to the point.", "Better than the phone.")
BLAME = (
    "It asked for my number twice.",
    "Gave up too early.",
    "The date was wrong.",
    "It did not answer what I asked.",
)

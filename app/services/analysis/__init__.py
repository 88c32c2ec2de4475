"""What an agent's runs have in common: findings with evidence, told by fixed rules.

``runs`` says what is looked at, one module for each kind of thing that is looked for, ``engine``
puts them together. All of it is pure: parts made of any chunks of runs, merged in any order, give
the same report. ``reader`` alone knows the database.
"""

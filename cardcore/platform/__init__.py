"""What others build on: operators, clients and their keys, citizens' sessions, webhooks, bills.

A room beside the three words of the API: it may call them, none of them calls it. No rule about
people, money or business lives here.
"""

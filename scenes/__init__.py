"""What a card means somewhere: one folder per scene, the same rooms in each.

A scene decides by pure rules; ``cardcore`` moves the money and answers who. Scenes never import
each other, and never reach the ledger, the codes or the keys.
"""

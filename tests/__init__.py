"""Fettle's tests: unit, integration, contract, system; ``make test`` runs them all."""

"""A client's monthly statement: uptime and promises kept, as figures, page, PDF and mail.

``reading`` and ``promises`` read the figures from the store, ``figures`` are their values,
``page`` lays them out, ``pdf`` prints the page, and ``mailing`` sends them once a month.
"""

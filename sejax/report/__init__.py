"""What a run leaves for its reader: results.json, report.html, tables and figures beside the paper's.

`results` holds the numbers, `published` the paper's, `run_tables` and `comparison` set both side by side,
`figures` and `sound` draw, `html` and `page` put a report together. Nothing here imports JAX;
matplotlib is imported when a figure is drawn.
"""

"""What a run shows and writes.

While it lasts: `progress` in one of four forms, among them the `live_view` of a terminal; a `logfile`; the
`service_status` of systemd. At its end: the verdict and the JSON `report`, its page (`html_report`, with `chart`),
`metrics`, and the lines of -i (`itemized`) or --out-format (`line_format`). `output_files` replaces files safely.
"""

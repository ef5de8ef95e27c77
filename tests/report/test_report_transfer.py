"""The table of networks in a report of transfer: what each sees or hears, its size, how long an update took."""

from sejax.experiments.transfer.report import REPORT, networks
from sejax.report.html import report_page


def test_networks_stand_with_their_input_size_and_time(fabricate_transfer):
    results = fabricate_transfer(models=("resnet50", "squeezenet1_1"), seeds=1)
    assert networks(results).rows == () and 'id="networks"' not in report_page(results, REPORT)  # of earlier versions
    data = {
        "input": {"resnet50": "image of a chunk", "squeezenet1_1": "recording"},
        "parameters": {"resnet50": 23_508_032, "squeezenet1_1": 7},
        "update_seconds": {"resnet50": 0.25},
    }
    results |= {"data": results["data"] | data}
    table = networks(results)
    assert table.rows[0] == ("resnet50", "image of a chunk", "23,508,032", "0.250") and len(table.notes) == 2
    assert table.rows[1][1:3] == ("recording", "7")
    page = report_page(results, REPORT)
    assert 'id="networks"' in page and "23,508,032" in page and "update_seconds" not in page

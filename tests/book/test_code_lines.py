"""Code on the site in lines of their own: the same text, well formed."""

from bs4 import BeautifulSoup

from book.tools.code_lines import in_lines


def page(code):
    return f'<p>before</p><div class="highlight"><pre><span></span>{code}\n</pre></div><p>after</p>'


def test_every_line_is_one_and_the_text_stays():
    html = page('<span class="k">if</span> x:\n    <span class="n">y</span>\n\nz')
    pre = BeautifulSoup(in_lines(html), "html.parser").pre
    assert pre.text == BeautifulSoup(html, "html.parser").pre.text
    assert [line.text for line in pre.select(".ep-line")] == ["if x:\n", "    y\n", "\n", "z\n"]
    assert pre.select(".ep-line")[1]["style"] == "--indent:4ch"


def test_a_string_over_several_lines_keeps_its_colour():
    html = page('s = <span class="s">"""one\ntwo\nthree"""</span> + t')
    lines = BeautifulSoup(in_lines(html), "html.parser").select(".ep-line")
    assert [span.text for line in lines for span in line.select(".s")] == ['"""one', "two", 'three"""']


def test_a_long_name_may_go_on_after_a_dot_or_a_bracket():
    html = page('<span class="n">segnb.losses.median_frequency_weights</span>(data) = &quot;a.b&quot;')
    result = in_lines(html)
    assert BeautifulSoup(result, "html.parser").pre.text == BeautifulSoup(html, "html.parser").pre.text
    assert "segnb.<wbr>losses.<wbr>median_frequency_weights</span>(<wbr>data)" in result
    assert "&quot;a.b&quot;" in result  # what is short stays whole


def test_a_line_that_begins_far_to_the_right_hangs_no_further_than_its_place_allows():
    lines = BeautifulSoup(in_lines(page(f"{'':30}mean IoU\nFCN-8s")), "html.parser").select(".ep-line")
    assert lines[0]["style"] == "--indent:16ch"
    assert "style" not in lines[1].attrs


def test_nothing_else_changes():
    assert in_lines("<pre>a\nb</pre>") == "<pre>a\nb</pre>"
    before, after = (
        in_lines(page("x")).split('<div class="highlight">')[0],
        in_lines(page("x")).split("</div>")[-1],
    )
    assert (before, after) == ("<p>before</p>", "<p>after</p>")

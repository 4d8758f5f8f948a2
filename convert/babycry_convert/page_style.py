"""The look of the project's pages: of a conversion's report and of the bench's."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1d2733;--soft:#5a6672;--line:#dde3e9;
--band:#f5f7f9;--good:#1a7f37;--bad:#b3261e;--wait:#8a5a00}
@media (prefers-color-scheme:dark){:root{--paper:#161b22;--ink:#d9e0e8;--soft:#95a1ad;
--line:#30373f;--band:#1c232b;--good:#57c27a;--bad:#ff8a80;--wait:#e0b060}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:66rem;margin:0 auto;padding:2.2rem 1.6rem 4rem}
h1{font-size:1.65rem;line-height:1.2;margin:0 0 .2rem;font-weight:650;overflow-wrap:anywhere}
h2{font-size:1.08rem;margin:2.6rem 0 .6rem;font-weight:650}
p{margin:.4rem 0;max-width:46rem}
.soft,figcaption{color:var(--soft)}
.lead{color:var(--soft);margin:0 0 1.2rem}
.verdict{border-left:.35rem solid var(--wait);background:var(--band);padding:.8rem 1.1rem;
margin:1.2rem 0}
.verdict p{margin:.15rem 0}
.verdict strong{font-size:1.15rem}
.passed{border-color:var(--good)}.passed strong,.ok{color:var(--good)}
.failed{border-color:var(--bad)}.failed strong,.no{color:var(--bad)}
.no,.ok{font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.3rem .9rem .3rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--line)}
thead th{font-weight:600;color:var(--soft);border-bottom:1px solid var(--soft);
vertical-align:bottom}
tbody th{font-weight:400}
td.n,th.n{text-align:right}
td.why{min-width:11rem;font-weight:400}td.mark,td.n{white-space:nowrap}
h3{font-size:.95rem;margin:1.4rem 0 0;font-weight:650}
td.name,tbody th{overflow-wrap:anywhere;min-width:9rem}
small{color:var(--soft);font-size:.86em}
code{font:.86em ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
figure{margin:.8rem 0 1.2rem}
figure img{max-width:100%;height:auto;display:block}
figcaption{font-size:.87rem;margin-top:.3rem;max-width:46rem}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--soft)}
@media print{body{font-size:10pt}main{max-width:none;padding:0}h2{break-after:avoid}
figure,tr,.verdict{break-inside:avoid}.scroll{overflow:visible}}
"""

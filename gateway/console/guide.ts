// docs/operations.md as a page of the console: findings link to its sections.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const DOCS = join(import.meta.dir, "..", "..", "docs");
/** Other pages of the documentation are not served here. */
const ELSEWHERE = /<a href="(?!#|https?:)([^"]*)">(.*?)<\/a>/gs;

export function guidePage(): string {
  const text = readFileSync(join(DOCS, "operations.md"), "utf8");
  const body = Bun.markdown
    .html(text, { headings: { ids: true }, noHtmlBlocks: true, noHtmlSpans: true })
    .replaceAll(ELSEWHERE, "$2");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Operations · Sluice</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/console/style/base.css">
<link rel="stylesheet" href="/console/style/guide.css">
<script type="module" src="/console/ui/theme.js"></script>
</head>
<body>
<main class="guide">
<p><a href="/console">← Console</a></p>
${body}
</main>
</body>
</html>
`;
}

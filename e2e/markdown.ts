/** What an example in the document shows of an answer. */
export interface ShownAnswer {
  statusLine: string;
  headers: Record<string, string>;
  body: string;
}

/** A `sh` block directly followed by an `http` block: what to run and what it answers. */
export interface Example {
  /** The name in the last `<!-- server: NAME -->` before it. */
  server: string;
  script: string;
  shown: ShownAnswer;
  line: number;
}

const PART = /^<!-- server: (?<server>[\w-]+) -->$|^```(?<language>\w*)\n(?<code>[\s\S]*?)^```$/gm;

/** The examples of a Markdown document, in its order. */
export function readExamples(markdown: string): Example[] {
  const examples: Example[] = [];
  let server = '';
  let last: { script: string; end: number } | undefined;
  for (const { index, groups = {}, 0: text } of markdown.matchAll(PART)) {
    const { language, code = '' } = groups;
    if (groups.server) server = groups.server;
    if (language === 'sh') last = { script: code, end: index + text.length };
    if (language !== 'http') continue;
    const line = markdown.slice(0, index).split('\n').length;
    if (!last || markdown.slice(last.end, index).trim() !== '')
      throw new Error(`line ${line}: no sh block before`);
    examples.push({ server, script: last.script, shown: readAnswer(code), line });
  }
  return examples;
}

/** An answer as `curl -i` prints it; interim answers (100 Continue) before it do not count. */
export function readAnswer(text: string): ShownAnswer {
  const [head = '', ...rest] = text.replaceAll('\r\n', '\n').split(/\n\n|\n$/);
  if (/^HTTP\/1\.1 1\d\d /.test(head)) return readAnswer(rest.join('\n\n'));
  const [statusLine = '', ...lines] = head.split('\n');
  const headers = lines.map((line): [string, string] => {
    const [name = '', ...value] = line.split(': ');
    return [name.toLowerCase(), value.join(': ')];
  });
  return { statusLine, headers: Object.fromEntries(headers), body: rest.join('\n\n').trim() };
}

/** The cells of the rows of a table whose first header is this. */
export function readTable(markdown: string, header: string): string[][] {
  const lines = markdown.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${header} `));
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

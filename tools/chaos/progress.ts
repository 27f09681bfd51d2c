export interface Progress {
  show(text: string): void;
  /** Begins a row; the function that is returned says how far it is. */
  begin(name: string): (text: string) => void;
  end(verdict: string): void;
}

/** One line a row, which a terminal shows while it changes, and a log only in the end. */
export function createProgress(count: number, out: NodeJS.WriteStream = process.stderr): Progress {
  let number = 0;
  let head = '';
  let beganAt = Date.now();
  let latest = '';
  const draw = () => {
    const columns = out.columns || 120;
    if (out.isTTY) out.write(`\r\x1b[2K${`${head}  ${elapsed(beganAt)}  ${latest}`.slice(0, columns - 1)}`);
  };
  return {
    show(text) {
      latest = text;
      draw();
    },
    begin(name) {
      number += 1;
      head = `[${number}/${count}] ${name}`;
      beganAt = Date.now();
      latest = '';
      return (text) => {
        latest = text;
        draw();
      };
    },
    end(verdict) {
      out.write(`${out.isTTY ? '\r\x1b[2K' : ''}${head}  ${elapsed(beganAt)}  ${verdict}\n`);
    },
  };
}

function elapsed(since: number): string {
  return `${Math.round((Date.now() - since) / 1000)} s`;
}

import { embeddedCommand } from './find.ts';

/** Prints the command that runs the embedded engine, a word a line, for the shell script beside this file. */
embeddedCommand().then(
  ({ command, args }) => process.stdout.write([command, ...args].join('\n') + '\n'),
  (error: unknown) => {
    process.stderr.write(`mongod: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);

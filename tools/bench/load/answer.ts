/** Does what the starting process asks for with one message, answers with one, and ends. */
export function answerParent<Options>(work: (options: Options) => Promise<object>): void {
  process.once('message', (options: Options) => {
    work(options).then(
      (result) => process.send?.(result, () => process.exit(0)),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}

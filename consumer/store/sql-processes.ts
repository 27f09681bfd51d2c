import {
  addCounts,
  type Counts,
  mapCounts,
  noCounts,
  type ProcessReport,
} from '@event-tracker/shared/process-report';
import { type SqlCalls } from './sql-calls.ts';
import { type Dialect, placeholders, type SqlRow } from './sql-dialect.ts';
import { type Store } from './store.ts';

/** The id of the row with the sum of folded reports, which the migration has made. */
const SUM = 'ended';

type Processes = Pick<Store, 'reportProcess' | 'listProcesses' | 'foldProcesses'>;

/** The reports of processes in the table `processes`. A report that is `ended` never changes again. */
export function createSqlProcesses(dialect: Dialect, call: SqlCalls['call']): Processes {
  const keep = dialect.onConflict(() => 'id = processes.id');

  return {
    reportProcess: ({ id, ...report }, isFirst) =>
      call(async ({ run }) => {
        const values = [report.ended, report.reportedAt, JSON.stringify(report), id];
        const update =
          'update processes set ended = ?, reported_at = ?, report = ? where id = ? and ended = false';
        const { affected } = await run(update, values);
        if (affected > 0 || !isFirst) return affected > 0;
        await run(
          `insert into processes (ended, reported_at, report, id) values (?, ?, ?, ?) ${keep}`,
          values,
        );
        return true;
      }),

    listProcesses: () =>
      call(async ({ run }) => {
        const { rows } = await run('select id, report from processes');
        const sum = rows.find(({ id }) => id === SUM);
        const processes = rows.filter((row) => row !== sum).map(toReport);
        processes.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime() || (a.id < b.id ? -1 : 1));
        return { processes, folded: countsOf(sum) };
      }),

    foldProcesses: (silentSince) =>
      call(({ transaction }) =>
        transaction(async (run) => {
          // Whoever holds the sum folds; the others find nothing left.
          const sum = await run('select report from processes where id = ? for update', [SUM]);
          const over = 'id <> ? and (ended = true or reported_at < ?)';
          const { rows } = await run(`select id, report from processes where ${over} for update`, [
            SUM,
            silentSince,
          ]);
          if (rows.length === 0) return;
          const counts = rows.reduce(
            (folded, row) => addCounts(folded, countsOf(row)),
            countsOf(sum.rows[0]),
          );
          await run('update processes set report = ? where id = ?', [JSON.stringify({ counts }), SUM]);
          const ids = rows.map(({ id }) => id as string);
          await run(`delete from processes where id in ${placeholders(1, ids.length)}`, ids);
        }),
      ),
  };
}

/** A count that was not known yet when a report was made is zero. */
function countsOf(row: SqlRow | undefined): Counts {
  const { counts } = JSON.parse((row?.report as string | undefined) ?? '{}') as { counts?: Partial<Counts> };
  return addCounts(noCounts(), { ...noCounts(), ...counts });
}

function toReport(row: SqlRow): ProcessReport {
  const report = JSON.parse(row.report as string) as Omit<ProcessReport, 'id'>;
  const counts = mapCounts((name) => report.counts[name] ?? 0);
  const { startedAt, reportedAt } = report;
  return {
    id: row.id as string,
    ...report,
    startedAt: new Date(startedAt),
    reportedAt: new Date(reportedAt),
    counts,
  };
}

/**
 * The write concern behind which a write survives the crash of the database: in the journal of a majority, or of the
 * only server there is. To one that is no member of a replica set `majority` must not be said: it then acknowledges
 * writes that it may lose when it is killed (SERVER-139311), also with the journal asked for.
 *
 * `hello` is the server's answer to the command of that name.
 */
export function durableWriteConcern(hello: { setName?: unknown; msg?: unknown }): {
  w: 1 | 'majority';
  journal: true;
} {
  const standalone = hello.setName === undefined && hello.msg !== 'isdbgrid';
  return { w: standalone ? 1 : 'majority', journal: true };
}

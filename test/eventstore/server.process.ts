// The server as a process of its own, for the tests that kill or stop one. Arguments: folder, port (0: a free one).
// Told by process messages what is to go wrong, it answers each when it is done.
import { Faults } from './faults.ts';
import { startEventStore } from './server.ts';

const [folder = '', port = '0'] = process.argv.slice(2);
const server = await startEventStore({
  folder,
  port: Number(port),
  die: () => process.kill(process.pid, 'SIGKILL'),
});

process.on('message', ({ hook, args }: { hook: keyof Faults; args: never[] }) => {
  (server.hooks[hook] as (...args: never[]) => void)(...args);
  process.send?.({ done: hook });
});
// An orphan would hold the port for ever.
process.on('disconnect', () => process.exit());
process.on('SIGTERM', async () => {
  await server.stop();
  process.exit();
});
process.send?.({ port: server.port });

import { join } from 'node:path';
import { ConfigRefused } from './config.ts';

/** Where the server of a data folder listens for the command line: a socket that only its owner may open. */
export function controlSocket(folder: string): string {
  return join(folder, 'jalon.sock');
}

/** What the address of a socket may take on every system that this runs on, in bytes. */
const LONGEST = 103;

/** @throws ConfigRefused when the command line could not reach a server on this folder */
export function assertReachable(folder: string): void {
  const excess = Buffer.byteLength(controlSocket(folder)) - LONGEST;
  if (excess > 0)
    throw new ConfigRefused(
      `JALON_DATA=${folder} is too long by ${excess} bytes for the socket by which « jalon » reaches the server: choose a shorter path.`,
    );
}

import { expect, test } from '@jest/globals';
import { Gate } from '../apps/api/gate.ts';
import { RateExceeded } from '../apps/api/rate.ts';

const stays = new AbortController().signal;
const caller = (sub: string) => ({ iss: 'https://connexion.example', sub });

/** Asks to enter; what entered is written down. */
function crowd(gate: Gate) {
  const inside: string[] = [];
  const leave = new Map<string, () => void>();
  const ask = (name: string, signal = stays) =>
    gate.enter(caller(name.slice(0, 1)), signal).then((left) => {
      inside.push(name);
      leave.set(name, left);
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { inside, leave, ask, settle };
}

test('so many of a caller enter at once, and so many in all; the others in order, nobody behind another’s turn', async () => {
  const { inside, leave, ask, settle } = crowd(new Gate({ perCaller: 2, inAll: 3, waiting: 10 }));
  for (const name of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) void ask(name);
  await settle();
  expect(inside).toEqual(['a1', 'a2', 'b1']);
  leave.get('b1')?.();
  await settle();
  expect(inside.slice(3)).toEqual(['b2']);
  leave.get('a1')?.();
  leave.get('a1')?.();
  await settle();
  expect(inside.slice(4)).toEqual(['a3']);
  leave.get('a2')?.();
  await settle();
  expect(inside.slice(5)).toEqual(['c1']);
});

test('who goes away while waiting takes nobody’s place; of a caller only so many may wait', async () => {
  const { inside, leave, ask, settle } = crowd(new Gate({ perCaller: 1, inAll: 5, waiting: 2 }));
  const gone = new AbortController();
  await ask('a1');
  const second = ask('a2', gone.signal);
  void ask('a3');
  await expect(ask('a4')).rejects.toThrow(RateExceeded);
  await ask('b1');
  gone.abort();
  await expect(second).rejects.toThrow();
  await expect(ask('a5', gone.signal)).rejects.toThrow();
  leave.get('a1')?.();
  await settle();
  expect(inside).toEqual(['a1', 'b1', 'a3']);
});

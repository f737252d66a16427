import { expect, test } from '@jest/globals';
import { giveWay } from './give-way.ts';

/** Holds the thread for longer than a loop may. */
function work(): void {
  const until = performance.now() + 5;
  while (performance.now() < until);
}

test('of many loops at once, one goes on for each turn of the event loop, in order', async () => {
  let turn = 0;
  let isOver = false;
  const count = () => {
    turn += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const went: { loop: number; turn: number }[] = [];
  const loops = [0, 1, 2, 3, 4].map(async (loop) => {
    for (let i = 0; i < 4; i += 1) {
      work();
      await giveWay();
      went.push({ loop, turn });
    }
  });
  await Promise.all(loops);
  isOver = true;
  expect(went.map(({ loop }) => loop)).toEqual([0, 1, 2, 3].flatMap(() => [0, 1, 2, 3, 4]));
  expect(new Set(went.map(({ turn }) => turn)).size).toBe(went.length);
});

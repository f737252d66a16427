import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { build } from '../../build.mjs';
import { openBrowser, Window } from '../console/browser.ts';
import { median, quantile } from './load.ts';
import { seed } from './seed.ts';
import { startJalon } from './servers.ts';
import { type Line, table } from './table.ts';

const DOSSIERS = 10_000;
const FACTS = 300;
const ROUNDS = 11;
const WANTED_MS = 100;

/** What was begun before is over, and drawn. */
const STILL_MS = 300;

const PATIENCE_MS = 10_000;

/** Something done to a page, after `before`, and what shows that it was answered. */
type Interaction = {
  what: string;
  before?(page: Page, round: number): Promise<unknown>;
  act(page: Page, round: number): Promise<unknown>;
  /** JavaScript that is true in the page once the answer is there. */
  shown: string;
};

/** What an interaction took, in milliseconds: until the page was drawn again, and until it showed the answer. */
type Taken = { frame: number; answer: number };

/** The console in a real browser, beside a server of 10,000 dossiers: what each interaction takes, from the press on. */
export async function benchConsole(say: (line: string) => void): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'jalon-bench-'));
  try {
    await build({ force: false, silent: true });
    const sizes = [...Array.from({ length: DOSSIERS - 1 }, (_, index) => 1 + (index % 12)), FACTS];
    say(`Filling a journal with ${DOSSIERS.toLocaleString('en-US')} dossiers, one of ${FACTS} facts…`);
    const ids = await seed(root, sizes, say);
    const jalon = await startJalon(root);
    const browser = await openBrowser();
    try {
      const window = await Window.open(browser, jalon.url);
      await window.logIn('Chargé de qualification');
      const lines: Line[] = [];
      for (const [path, interactions] of screens(jalon.url, ids.at(-1) as string)) {
        await window.goto(path);
        for (const interaction of interactions) lines.push(await measured(window.page, interaction, say));
      }
      return table(lines);
    } finally {
      await browser.close();
      await jalon.stop();
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const main = `document.querySelector('main')`;
/** The first row of a list leads elsewhere than before. */
const isOther = `(${main}.querySelector('tbody a')?.href ?? window.before) !== window.before`;
const remember = async (page: Page) => {
  await page.locator('main tbody a').first().waitFor();
  await page.evaluate(`window.before = ${main}.querySelector('tbody a').href`);
};
const view = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Vues du dossier' }).getByRole('link', { name }).click();

/** What is done on each screen, in order. A list is loaded anew before it is narrowed: nothing of it is held. */
function screens(url: string, large: string): [path: string, interactions: Interaction[]][] {
  const list = async (page: Page) => {
    await page.goto(`${url}/dossiers`);
    await remember(page);
  };
  return [
    [
      '/dossiers',
      [
        {
          what: 'list of 10,000: the next page',
          before: remember,
          act: (page) => page.getByRole('button', { name: 'Page suivante' }).click(),
          shown: isOther,
        },
        {
          what: 'list of 10,000: narrowed to a milestone',
          before: list,
          act: (page) => page.getByLabel('Jalon').selectOption('J1'),
          shown: isOther,
        },
        {
          what: 'list of 10,000: sorted by provider',
          before: list,
          act: (page) => page.getByRole('columnheader', { name: 'Prestataire' }).getByRole('link').click(),
          shown: isOther,
        },
        {
          what: 'list of 10,000: found by its identifier',
          before: async (page) => {
            await list(page);
            await page.getByRole('searchbox').fill(large);
          },
          act: (page) => page.getByRole('searchbox').press('Enter'),
          shown: `${main}.querySelectorAll('tbody tr').length === 1`,
        },
      ],
    ],
    [
      `/dossiers/${large}`,
      [
        {
          what: `timeline of ${FACTS} facts: a letter typed in its filter`,
          before: (page) => page.getByLabel('Texte').focus(),
          act: (page, round) => page.keyboard.press(round % 2 === 0 ? 'C' : 'Backspace'),
          shown: 'true',
        },
        {
          what: `timeline of ${FACTS} facts: milestones alone, or all`,
          act: (page) => page.getByText('Jalons seulement').click(),
          shown: 'true',
        },
        {
          what: `dossier of ${FACTS} facts: from timeline to findings`,
          before: (page) => view(page, 'Chronologie'),
          act: (page) => view(page, 'Constats'),
          shown: `${main}.querySelector('.matrice') !== null`,
        },
        {
          what: `dossier of ${FACTS} facts: from findings to timeline`,
          before: (page) => view(page, 'Constats'),
          act: (page) => view(page, 'Chronologie'),
          shown: `${main}.querySelector('.frise') !== null`,
        },
        {
          what: `dossier of ${FACTS} facts: to what can be done`,
          before: (page) => view(page, 'Chronologie'),
          act: (page) => view(page, 'Agir'),
          shown: `${main}.querySelector('.carte') !== null`,
        },
        {
          what: 'the form of a finding, with 278 requirements to choose from',
          before: (page) => view(page, 'Agir'),
          act: (page) => page.getByRole('main').getByRole('link', { name: 'Constat relevé', exact: true }).click(),
          shown: `${main}.querySelector('form') !== null`,
        },
      ],
    ],
    [
      `/dossiers/${large}/rejouer?pas=150`,
      [
        {
          what: `replay of ${FACTS} facts: one step`,
          before: async (page) => {
            await page.getByRole('slider', { name: 'Étape' }).focus();
            await page.locator('main code.coupe').first().waitFor();
            await page.evaluate(`window.before = ${main}.querySelector('code.coupe').textContent`);
          },
          act: (page) => page.keyboard.press('ArrowRight'),
          shown: `(${main}.querySelector('code.coupe')?.textContent ?? window.before) !== window.before`,
        },
      ],
    ],
  ];
}

async function measured(page: Page, interaction: Interaction, say: (line: string) => void): Promise<Line> {
  const { what, before, act, shown } = interaction;
  const times: Taken[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    await before?.(page, round);
    await page.locator('main [aria-busy=true]').first().waitFor({ state: 'detached' });
    await page.waitForTimeout(STILL_MS);
    await page.evaluate(waitingFor(shown));
    await act(page, round);
    const late = AbortSignal.timeout(PATIENCE_MS);
    const taken = await Promise.race([
      page.evaluate('window.taken') as Promise<Taken>,
      once(late, 'abort').then(() => Promise.reject(new Error(`${what}: no answer is shown.`))),
    ]);
    // The first loads the code of the screen.
    if (round > 0) times.push(taken);
  }
  const of = (name: keyof Taken) => times.map((taken) => taken[name]);
  const frame = median(of('frame'));
  say(`${what}: ${of('answer').map(Math.round).join(' ')}`);
  return {
    what,
    measured: `${Math.round(median(of('answer')))} ms`,
    against: `drawn after ${Math.round(frame)} ms`,
    ratio: quantile(of('answer'), 0.9),
    wanted: `< ${WANTED_MS} ms`,
    met: median(of('answer')) < WANTED_MS,
  };
}

/**
 * JavaScript that waits in the page for the next press; `window.taken` is what it then took until the page was drawn, and
 * until it showed the answer. (A text: the page's policy lets it make no code of its own.)
 */
const waitingFor = (shown: string) => `void (window.taken = new Promise((resolve) => {
  const presses = ['pointerdown', 'keydown', 'change'];
  const begun = ({ timeStamp }) => {
    for (const press of presses) removeEventListener(press, begun, true);
    let frame = 0;
    const look = () => {
      const { port1, port2 } = new MessageChannel();
      // A task after the frame: it was drawn.
      port1.onmessage = () => {
        frame ||= performance.now() - timeStamp;
        if (${shown}) resolve({ frame, answer: performance.now() - timeStamp });
        else requestAnimationFrame(look);
      };
      port2.postMessage(null);
    };
    requestAnimationFrame(look);
  };
  for (const press of presses) addEventListener(press, begun, true);
}))`;

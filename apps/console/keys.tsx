import { createModal } from '@codegouvfr/react-dsfr/Modal';
import { ToggleSwitch } from '@codegouvfr/react-dsfr/ToggleSwitch';
import { useEffect, useState } from 'react';
import { useNavigate } from 'react-router';

const help = createModal({ id: 'raccourcis', isOpenedByDefault: false });
const OFF = 'jalon.raccourcis';

/** Keys that save time; whatever they do is also reached by Tab. */
const KEYS: readonly [string, string][] = [
  ['/', 'Chercher un dossier'],
  ['g puis t', 'Tableau de bord'],
  ['g puis d', 'Dossiers'],
  ['j', 'Fait suivant de la chronologie'],
  ['k', 'Fait précédent de la chronologie'],
  ['?', 'Cette liste'],
];

/** How long the second key of a pair may take, in milliseconds. */
const PAIR_MS = 1500;

/** Listens to the keys, and lists them; single keys can be turned off (WCAG 2.1.4), for those whose tools type by themselves. */
export function Keys() {
  const navigate = useNavigate();
  const [off, setOff] = useState(() => localStorage.getItem(OFF) !== null);
  useEffect(() => {
    let wentAt = Number.NEGATIVE_INFINITY;
    const press = (event: KeyboardEvent) => {
      const { key, target, altKey, ctrlKey, metaKey } = event;
      if (altKey || ctrlKey || metaKey || isTyping(target)) return;
      const pair = performance.now() - wentAt < PAIR_MS ? `g${key}` : key;
      wentAt = key === 'g' ? performance.now() : Number.NEGATIVE_INFINITY;
      const act = {
        '?': () => help.open(),
        '/': () => toSearch(() => void navigate('/dossiers')),
        gt: () => void navigate('/'),
        gd: () => void navigate('/dossiers'),
        j: () => moveEntry(1),
        k: () => moveEntry(-1),
      }[pair];
      if (!act || (off && pair !== '?')) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [navigate, off]);
  return (
    <help.Component title="Raccourcis du clavier">
      <dl className="contenu">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <ToggleSwitch
        label="Raccourcis d’une touche"
        checked={!off}
        onChange={(on) => {
          setOff(!on);
          if (on) localStorage.removeItem(OFF);
          else localStorage.setItem(OFF, 'non');
        }}
      />
    </help.Component>
  );
}

/** The list of keys, for whoever looks for it at the bottom of the page. */
export function showKeys(): void {
  help.open();
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable], dialog *');
}

/** Puts the focus in the search, where it is or once the list is there. */
function toSearch(open: () => void): void {
  const field = () => document.querySelector<HTMLInputElement>('input[type=search][name=q]');
  if (field()) {
    field()?.focus();
    return;
  }
  open();
  const seen = new MutationObserver(() => {
    if (!field()) return;
    seen.disconnect();
    // After the screen that arrives has taken the focus.
    setTimeout(() => field()?.focus());
  });
  seen.observe(document.body, { childList: true, subtree: true });
}

/** Goes to the entry of the timeline after or before the one that has the focus. */
function moveEntry(by: 1 | -1): void {
  const entries = [...document.querySelectorAll<HTMLElement>('.frise > li')];
  const at = entries.findIndex((entry) => entry.contains(document.activeElement));
  const next = entries[at === -1 && by === -1 ? -1 : at + by];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

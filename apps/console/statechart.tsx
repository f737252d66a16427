import { Button } from '@codegouvfr/react-dsfr/Button';
import { useQuery } from '@tanstack/react-query';
import { type PointerEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { api, ask } from './client.ts';
import { Loaded } from './loaded.tsx';
import type { Workflow } from './reading.ts';

/** A way that was taken from a state to another. */
export type Step = { from: string | null; to: string };

type Props = {
  workflow: Pick<Workflow, 'name' | 'version'>;
  /** The state that is lit. */
  current?: string | undefined;
  /** The ways taken, in order: they are numbered, and what was never reached is dimmed. */
  steps?: readonly Step[];
};

/** The procedure as a picture: drawn by the API, lit and numbered here; zoomed by buttons, moved by dragging or arrows. */
export function Statechart({ workflow: { name, version }, current, steps }: Props) {
  const picture = useQuery({
    queryKey: ['diagram', name, version],
    queryFn: async () => {
      const path = { name, version };
      const request = api.GET('/api/workflows/{name}/{version}/diagram.svg', { params: { path }, parseAs: 'text' });
      return (await ask(request)) as string;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <Loaded query={picture}>{(svg) => <Picture svg={svg} current={current} {...(steps ? { steps } : {})} />}</Loaded>
  );
}

const ZOOM = { least: 0.2, most: 3, by: 1.25 };

function Picture({ svg, current, steps }: { svg: string } & Omit<Props, 'workflow'>) {
  const frame = useRef<HTMLElement>(null);
  const place = useRef<HTMLDivElement>(null);
  // A state that is lit is read at once; without one the whole procedure is shown.
  const [zoom, setZoom] = useState<number | null>(current === undefined ? null : 1);

  useLayoutEffect(() => {
    const parsed = new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement;
    place.current?.replaceChildren(document.importNode(parsed, true));
  }, [svg]);
  useLayoutEffect(() => {
    if (svg && place.current) mark(place.current, current, steps);
  }, [svg, current, steps]);
  useLayoutEffect(() => {
    const drawn = place.current?.querySelector('svg');
    if (!svg || !drawn || !frame.current) return;
    const factor = zoom ?? Math.min(1, frame.current.clientWidth / drawn.viewBox.baseVal.width);
    drawn.style.setProperty('--largeur', `${drawn.viewBox.baseVal.width * factor}px`);
  }, [svg, zoom]);
  // The lit state is brought into view, inside the frame alone.
  useEffect(() => {
    const lit = svg && place.current?.querySelector('.etat--courant');
    if (!lit || !frame.current) return;
    const [inside, around] = [lit.getBoundingClientRect(), frame.current.getBoundingClientRect()];
    frame.current.scrollBy(
      inside.left + inside.width / 2 - around.left - around.width / 2,
      inside.top + inside.height / 2 - around.top - around.height / 2,
    );
  }, [svg, current, zoom]);

  const scale = (by: number) => {
    const drawn = place.current?.querySelector('svg');
    if (!drawn) return;
    const now = drawn.getBoundingClientRect().width / drawn.viewBox.baseVal.width;
    setZoom(Math.min(ZOOM.most, Math.max(ZOOM.least, now * by)));
  };
  return (
    <div className="schema">
      <div className="groupe ecran">
        <Button size="small" priority="tertiary" iconId="fr-icon-zoom-in-line" onClick={() => scale(ZOOM.by)}>
          Agrandir
        </Button>
        <Button size="small" priority="tertiary" iconId="fr-icon-zoom-out-line" onClick={() => scale(1 / ZOOM.by)}>
          Réduire
        </Button>
        <Button size="small" priority="tertiary" iconId="fr-icon-fullscreen-line" onClick={() => setZoom(null)}>
          Ajuster
        </Button>
      </div>
      <section
        ref={frame}
        className="schema__cadre"
        aria-label="Schéma des états"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        tabIndex={0}
        onPointerDown={drag}
      >
        <div ref={place} />
      </section>
    </div>
  );
}

/** Moves what a frame shows with the pointer, as a map. */
function drag({ currentTarget: frame, pointerId, pointerType, clientX, clientY }: PointerEvent<HTMLElement>): void {
  // Fingers scroll by themselves.
  if (pointerType !== 'mouse') return;
  const { scrollLeft, scrollTop } = frame;
  frame.setPointerCapture(pointerId);
  const move = (event: globalThis.PointerEvent) =>
    frame.scrollTo(scrollLeft - event.clientX + clientX, scrollTop - event.clientY + clientY);
  frame.addEventListener('pointermove', move);
  frame.addEventListener('lostpointercapture', () => frame.removeEventListener('pointermove', move), { once: true });
}

const SVG = 'http://www.w3.org/2000/svg';

/** Lights the current state, numbers the ways taken at the states that they led to, dims what was never reached. */
function mark(place: HTMLElement, current: string | undefined, steps: readonly Step[] | undefined): void {
  for (const old of place.querySelectorAll('.numero')) old.remove();
  for (const group of place.querySelectorAll<SVGGElement>('svg > g')) {
    const { from, to } = group.dataset;
    if (from === undefined) {
      const ranks = (steps ?? []).flatMap((step, index) => (step.to === group.id ? [index + 1] : []));
      const known = steps === undefined || ranks.length > 0;
      group.setAttribute('class', `etat${group.id === current ? ' etat--courant' : ''}${known ? '' : ' etat--jamais'}`);
      if (ranks.length > 0) number(group, ranks.join(', '));
    } else {
      const taken = steps?.some((step) => step.from === from && step.to === to);
      group.setAttribute('class', `voie${taken ? ' voie--prise' : ''}${steps && !taken ? ' voie--jamais' : ''}`);
    }
  }
}

function number(state: SVGGElement, text: string): void {
  const box = state.querySelector('rect');
  const label = document.createElementNS(SVG, 'text');
  label.setAttribute('class', 'numero');
  label.setAttribute('x', String(Number(box?.getAttribute('x')) + 4));
  label.setAttribute('y', String(Number(box?.getAttribute('y')) - 4));
  label.textContent = text;
  state.append(label);
}

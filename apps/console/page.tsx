import { Breadcrumb } from '@codegouvfr/react-dsfr/Breadcrumb';
import { type ReactNode, useEffect, useRef } from 'react';

/** The screen that was shown first has its focus where the browser puts it; those that follow announce themselves. */
let first = true;

type Props = {
  title: string;
  /** What comes before the title in the tab of the browser, when the heading alone would not say where one is. */
  heading?: ReactNode;
  /** The way here from the home page, without this screen. */
  trail?: { label: string; to: string }[];
  children: ReactNode;
};

/** A screen: the title of the document, the way here, and the heading, which takes the focus when one arrives. */
export function Page({ title, heading = title, trail = [], children }: Props) {
  const top = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!first) top.current?.focus({ preventScroll: true });
    first = false;
  }, []);
  return (
    <>
      <title>{`${title} · Jalon`}</title>
      <Breadcrumb
        className="fr-mb-2w fr-mt-0"
        homeLinkProps={{ to: '/' }}
        segments={trail.map(({ label, to }) => ({ label, linkProps: { to } }))}
        currentPageLabel={title}
      />
      <h1 ref={top} tabIndex={-1}>
        {heading}
      </h1>
      {children}
    </>
  );
}

import { createBrowserRouter, type RouteObject } from 'react-router';
import { Frame } from './frame.tsx';
import { Waiting } from './loaded.tsx';
import { Lost, Unforeseen, UnforeseenView } from './lost.tsx';

/** The screens, by their address. Each is loaded when it is first shown. */
const screens: RouteObject[] = [
  { path: '/', lazy: () => import('./tableau-de-bord.tsx') },
  { path: '/dossiers', lazy: () => import('./dossiers.tsx') },
  { path: '/dossiers/nouveau', lazy: () => import('./opening.tsx') },
  {
    path: '/dossiers/:id',
    lazy: () => import('./dossier.tsx'),
    children: [
      { index: true, lazy: () => import('./chronologie.tsx') },
      {
        path: 'agir',
        lazy: () => import('./agir.tsx'),
        children: [{ path: ':type', lazy: () => import('./proposal.tsx') }],
      },
      { path: 'rejouer', lazy: () => import('./rejouer.tsx') },
      { path: 'machine', lazy: () => import('./machine.tsx') },
      { path: 'constats', lazy: () => import('./constats.tsx') },
      { path: 'preuve', lazy: () => import('./preuve.tsx') },
    ],
  },
  { path: '/echeances', lazy: () => import('./echeances.tsx') },
  { path: '/registre', lazy: () => import('./registre.tsx'), handle: { open: true } },
  { path: '/statistiques', lazy: () => import('./statistiques.tsx') },
  { path: '/abonnements', lazy: () => import('./abonnements.tsx') },
  { path: '/abonnements/:webhook', lazy: () => import('./abonnement.tsx') },
  { path: '/procedures', lazy: () => import('./procedures.tsx'), handle: { open: true } },
  { path: '/procedures/:name/:version', lazy: () => import('./procedure.tsx'), handle: { open: true } },
  { path: '/connexion', lazy: () => import('./connexion.tsx'), handle: { open: true } },
  { path: '/retour', lazy: () => import('./retour.tsx'), handle: { open: true } },
  { path: '/accessibilite', lazy: () => import('./accessibilite.tsx'), handle: { open: true } },
];

/**
 * Each screen falls alone, and each view of a screen: what surrounds it goes on. The boundary is around the route, since one
 * of which the file does not come has nothing to show, not even that.
 */
function guarded(routes: readonly RouteObject[], fallen = <Unforeseen />): RouteObject[] {
  return routes.map((route) => {
    const views = route.children && { children: guarded(route.children, <UnforeseenView />) };
    return { errorElement: fallen, children: [{ ...route, ...views } as RouteObject] };
  });
}

export const router = createBrowserRouter([
  {
    element: <Frame />,
    hydrateFallbackElement: <Waiting />,
    errorElement: <Unforeseen />,
    children: [
      {
        errorElement: <Unforeseen />,
        children: [...guarded(screens), { path: '*', element: <Lost />, handle: { open: true } }],
      },
    ],
  },
]);

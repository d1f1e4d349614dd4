import Frame from '../components/frame.js';
import './globals.css';

export const metadata = {
  title: { default: 'Larder · the caches of Next.js on one shelf', template: '%s · Larder' },
  description: 'Every cache of Next.js 16, each showing when it was made and how old it is',
  icons: { icon: '/icon.svg' },
};

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <Frame>{children}</Frame>
      </body>
    </html>
  );
}

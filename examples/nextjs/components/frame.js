/** What is around every page of both routers. */
export default function Frame({ children }) {
  return (
    <div className="frame">
      <header className="top">
        <a className="mark" href="/">
          <svg viewBox="0 0 24 28" aria-hidden="true">
            <rect x="5" y="1" width="14" height="5" rx="1.6" className="mark-lid" />
            <rect x="2.5" y="7" width="19" height="20" rx="5" className="mark-glass" />
            <path d="M2.5 15.5q4.75-2.6 9.5 0t9.5 0V22a5 5 0 0 1-5 5h-9a5 5 0 0 1-5-5z" className="mark-fill" />
          </svg>
          <b>Larder</b>
          <span>the caches of Next.js on one shelf</span>
        </a>
      </header>
      <main>{children}</main>
      <footer>
        <p>No request leaves this machine: the pages, the picture and the &ldquo;remote&rdquo; API are all served here.</p>
      </footer>
    </div>
  );
}

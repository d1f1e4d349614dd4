/*
 * Browser, Next.js, Larder, driver: who asks whom.  Drawn twice, lying for a desk and standing for
 * a phone; the style sheet shows one.  Colours and fonts come from there too.
 */
const LYING = {
  view: '0 0 1040 284',
  box: { browser: [8, 96, 164], a: [252, 26, 200], b: [252, 166, 200], coreA: [502, 26, 220], coreB: [502, 166, 220],
    driver: [816, 96, 216] },
  flow: ['M172 128 C 214 128 214 72 252 72', 'M172 156 C 214 156 214 212 252 212', 'M452 72 H 502', 'M452 212 H 502',
    'M722 72 C 770 72 768 128 816 128', 'M722 212 C 770 212 768 156 816 156'],
};

const STANDING = {
  view: '0 0 380 560',
  box: { browser: [98, 6, 184], a: [6, 156, 176], b: [198, 156, 176], coreA: [6, 306, 176], coreB: [198, 306, 176],
    driver: [88, 456, 204] },
  flow: ['M170 98 C 170 128 94 126 94 156', 'M210 98 C 210 128 286 126 286 156', 'M94 248 V 306', 'M286 248 V 306',
    'M94 398 C 94 428 170 426 170 456', 'M286 398 C 286 428 210 426 210 456'],
};

const WORDS = {
  browser: ['Browser', 'asks for a page'],
  a: ['Next.js, server A', 'cacheHandler'],
  b: ['Next.js, server B', 'cacheHandler'],
  coreA: ['Larder core', 'entries and marks'],
  coreB: ['Larder core', 'entries and marks'],
  driver: ['Driver: fs', 'one store for both'],
};

const HIGH = 92;

function Drawing({ layout, className }) {
  return (
    <svg className={`stack ${className}`} viewBox={layout.view} role="img" aria-label="A browser asks one of two Next.js servers.
      Each has Larder inside, behind its cacheHandler. Both use one store through a driver, here the file system.">
      <g className="flow">
        {layout.flow.map((path) => (
          <path key={path} d={path} />
        ))}
      </g>
      {Object.entries(layout.box).map(([name, [x, y, width]]) => (
        <g key={name} className={name.startsWith('core') ? 'core' : undefined}>
          <rect x={x} y={y} width={width} height={HIGH} rx="14" />
          <text x={x + width / 2} y={y + 41}>{WORDS[name][0]}</text>
          <text x={x + width / 2} y={y + 66} className="small">{WORDS[name][1]}</text>
        </g>
      ))}
    </svg>
  );
}

export default function Stack() {
  return (
    <>
      <Drawing layout={LYING} className="lying" />
      <Drawing layout={STANDING} className="standing" />
    </>
  );
}

/**
 * A jar: how full it is is how much of its lifetime is left.  `level` 0..1; null: nothing known yet.
 * Colours come from the class of the kind.
 */
export default function Jar({ level, past, className = '' }) {
  const top = 84 - 58 * Math.max(level ?? 0, 0.09);
  return (
    <svg className={`jar ${past ? 'is-past' : ''} ${className}`} viewBox="0 0 72 96" aria-hidden="true">
      <rect x="15" y="2" width="42" height="13" rx="3.5" className="jar-lid" />
      <rect x="15" y="11" width="42" height="4" className="jar-rim" />
      <rect x="6" y="16" width="60" height="76" rx="14" className="jar-glass" />
      {level !== null && (
        <path
          className="jar-fill"
          d={`M10 ${top} q13 -5 26 0 t26 0 V78 a10 10 0 0 1 -10 10 H20 a10 10 0 0 1 -10 -10 Z`}
        />
      )}
      <rect x="14" y="24" width="5" height="48" rx="2.5" className="jar-shine" />
      <rect x="22" y="48" width="32" height="22" rx="3" className="jar-label" />
    </svg>
  );
}

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" class="logo-ground" />
      <path d="M6 25v-6h5v6zM13.500 25V14h5v11zM21 25V9h5v16z" class="logo-bars" />
      <path d="M6.500 14 14 9l5.500.500L25 4.500" class="logo-line" />
    </svg>
  );
}

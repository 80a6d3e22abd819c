/* The rest of the file touches no floating-point register: gcc uses none for integers here. */

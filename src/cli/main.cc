#include "cli/app.h"

int main(int argc, char** argv) { return still::cli::run_program(argc, argv); }

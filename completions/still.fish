# Completion of still for fish: the program knows its commands, flags and names. fish adds files.
complete -c still -a '(still __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'

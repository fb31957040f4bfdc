# Figure of docs/results.md from a table of bench/study: gnuplot bench/study.gp (in the repository's root)
set terminal pngcairo size 900,640 font 'DejaVu Sans,13'
set output 'docs/study/study.png'
set datafile separator ','
set key bottom right
set logscale x
set xlabel 'evaluations of the network a sample'
set ylabel 'solutions inside the prior / samples, network alone'
set yrange [0:1]
set title 'Yield, guidance 1'
f = 'docs/study/samplers.csv'
pick(kind) = (strcol(1) eq kind && strcol(5) eq 'alone') ? $6 / $4 : NaN
set xrange [3:60]
set datafile missing NaN
plot f using 3:(pick('ddim:0')) with linespoints lw 2 pt 7 title 'DDIM, eta 0', \
     f using 3:(pick('ddim:1')) with linespoints lw 2 pt 7 title 'DDIM, eta 1', \
     f using 3:(pick('dpmpp_2m')) with linespoints lw 2 pt 7 title 'DPM-Solver++(2M)', \
     f using 3:(pick('dpmpp_2m_sde:1')) with linespoints lw 2 pt 7 title 'DPM-Solver++(2M) SDE', \
     f using 3:(pick('heun')) with linespoints lw 2 pt 7 title 'Heun'

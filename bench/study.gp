# Figure of docs/results.md from two tables of bench/study: gnuplot bench/study.gp (in the repository's root)
set terminal pngcairo size 1500,640 font 'DejaVu Sans,13'
set output 'docs/study/study.png'
set datafile separator ','
set multiplot layout 1,2
set key bottom right
set logscale x
set xlabel 'evaluations of the network a sample'
set ylabel 'solutions inside the prior / samples, network alone'
set yrange [0:1]
set title 'Yield, guidance 1'
f = 'docs/study/samplers.csv'
pick(kind) = (strcol(1) eq kind && strcol(6) eq 'alone') ? $7 / $5 : NaN
set xrange [3:60]
set datafile missing NaN
plot f using 3:(pick('ddim:0')) with linespoints lw 2 pt 7 title 'DDIM, eta 0', \
     f using 3:(pick('ddim:1')) with linespoints lw 2 pt 7 title 'DDIM, eta 1', \
     f using 3:(pick('dpmpp_2m')) with linespoints lw 2 pt 7 title 'DPM-Solver++(2M)', \
     f using 3:(pick('dpmpp_2m_sde:1')) with linespoints lw 2 pt 7 title 'DPM-Solver++(2M) SDE', \
     f using 3:(pick('heun')) with linespoints lw 2 pt 7 title 'Heun'
set key top left
set xlabel 'guidance gamma'
set ylabel 'largest KS distance from the exact posterior, projected'
set title 'Distortion, DPM-Solver++(2M) SDE, 10 evaluations'
set xrange [0.9:9]
set yrange [0:0.5]
set xtics (1, 1.5, 2, 4, 8)
plot 'docs/study/guidance.csv' using 4:(strcol(6) eq 'projected' ? $10 : NaN) with linespoints lw 2 pt 7 title 'of 52 quantities', \
     0.0326 with lines dt 2 lc 'gray' title '99 % null'
unset multiplot

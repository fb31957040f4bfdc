# Figure of docs/performance.md from a table of bench/growth: gnuplot bench/growth.gp (in the repository's root)
set terminal svg size 1200,340 font 'DejaVu Sans,12' background 'white'
set output 'docs/study/growth.svg'
set datafile separator ','
set datafile missing NaN
f = 'docs/study/growth.csv'
y(series) = strcol(1) eq series ? $3 : NaN
set key top left
set logscale xy
set ylabel 'seconds'
set multiplot layout 1,4
names = "samples steps width"
titles = "'samples, of 4 steps' 'steps, of 10,000 samples' '10^6 multiply-adds an evaluation'"
do for [i=1:3] {
    if (i > 1) { unset ylabel }
    set xlabel word(titles, i)
    stats f using (y(word(names, i)) == y(word(names, i)) ? $2 : NaN) name 'X' nooutput
    stats f using (y(word(names, i))) name 'Y' nooutput
    plot f using 2:(y(word(names, i))) with linespoints lw 2 pt 7 title 'measured', \
         x * Y_max / X_max with lines dt 2 lc rgb 'gray40' title 'linear'
}
unset logscale
set xlabel 'threads'
set key bottom right
set ylabel 'times the rate of one thread'
rates = "sample informed-projected train-64 train-1024 rejection"
at(name, n) = (strcol(1) eq 'threads '.name && $2 == n) ? $3 : NaN
array one[words(rates)]
do for [i=1:words(rates)] {
    stats f using (at(word(rates, i), 1)) name 'S' nooutput
    one[i] = S_min
}
set xrange [0.8:2.2]
set yrange [0.8:2.4]
set xtics 1
plot for [i=1:words(rates)] f using 2:(strcol(1) eq 'threads '.word(rates, i) ? one[i] / $3 : NaN) with linespoints lw 2 pt 7 lc i \
     title word(rates, i), x with lines dt 2 lc rgb 'gray40' notitle
unset multiplot
